"""How a study of one's own begins: a study file with remarks, and what has to lie beside it, in a new folder."""
