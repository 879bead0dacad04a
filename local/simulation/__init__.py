"""A discrete-event simulation of how AWS Lambda scales one function, and what that costs."""
