"""The platform's own screens: jobs, plans, change sets, profiles, notices."""
