"""The load engine: sends the requests of a schedule and times each of them."""
