"""Min-entropy of a noise source, estimated from its samples (SP 800-90B, section 6.3), for commissioning a device."""
