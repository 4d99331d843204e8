"""What gunicorn reads by itself when it starts in this folder; everything else is given on its command line."""

logger_class = "app.logs_gunicorn.Lines"
