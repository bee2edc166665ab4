"""`python -m augbench` is `augbench`."""

from augbench.cli import main

if __name__ == "__main__":
    main()
