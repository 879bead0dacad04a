"""Classify files and folders: `python -m classifier photos/ --csv out.csv`."""

from classifier.batch.command import main

if __name__ == "__main__":
    main()
