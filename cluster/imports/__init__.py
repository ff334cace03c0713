"""Which folder a module is imported from, in the process of a command and in Ray's workers.

The folder is on the search path of a local Ray's workers, which import `raygene_imports` by that name alone. It holds
nothing else, so that it hides no other module.
"""
