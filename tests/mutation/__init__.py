"""Is every check of `admin_ext.access` missed by some test when it is taken out?"""
