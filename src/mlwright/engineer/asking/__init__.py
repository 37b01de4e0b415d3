"""Questions in plain English, answered by rules; a language model may talk about an answer and changes nothing."""
