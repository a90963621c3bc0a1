"""What the nodes publish: messages, markers, annotated images."""
