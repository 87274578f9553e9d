"""`python -m tallyport` is the command."""

from tallyport.cli import main

main()
