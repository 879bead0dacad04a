"""Does a deployment fit the account? The command is `python -m local.aws_check`."""
