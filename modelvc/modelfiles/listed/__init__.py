"""Lists of names as data, one file for each release of a library; `modelfiles/name_list.py` reads them."""
