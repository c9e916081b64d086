"""What flows: frozen records, standard library and numpy only, in the order in which the data meets
them."""
