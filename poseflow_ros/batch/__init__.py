"""Many inputs, processed in parallel on one machine or on a Ray cluster."""
