"""SMS and chat: handing them to the services that carry them."""
