"""What comes back after a mail has left: a provider's webhook, bounces and complaints, in one vocabulary."""
