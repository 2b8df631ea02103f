"""Who is given what: roles, places and rows handed on; reviews of it; standing in for somebody; breaking the glass."""
