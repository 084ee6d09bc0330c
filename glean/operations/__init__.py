"""What Glean does when asked, to be called: plain arguments in, frozen results out.

The command line is a thin shell over these functions. Nothing here prints or reads what was typed.
"""
