"""The boundary to language models: messages, the protocol, and its implementations."""
