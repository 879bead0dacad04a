"""Options of the build that the files of other libraries state."""
