"""`manage.py doctor`: what keeps mail from leaving or from arriving, found before the first mail meets it.

One module for each thing that is looked at. A check is a function that returns findings; it changes nothing, sends no
mail, and ends in bounded time.
"""
