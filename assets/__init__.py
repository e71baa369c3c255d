"""Files that travel with the program: the default plates, and the code that draws them."""
