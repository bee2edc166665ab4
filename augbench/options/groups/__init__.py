"""Every option that only plans or runs a study, declared once: a file for each heading of the help.

A row here is all that an option takes: the command line, `augbench.run` and `plan`, the stored
study, the reports and every message read it. `table.py` joins the groups.
"""
