"""The sections of a report, one module a subject: each takes the inputs and returns text, figures and tables."""
