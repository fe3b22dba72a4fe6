"""A call in the form that the gateway works in, whatever its dialect: a chat completion, asked and answered."""
