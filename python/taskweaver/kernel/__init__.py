"""The kernel application: a Jupyter kernel with parsed output, a list of variables, plugins and exact streams."""
