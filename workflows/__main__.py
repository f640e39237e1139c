"""`python -m workflows`: the command line without the application."""

from workflows.command_line import main

if __name__ == "__main__":
    main()
