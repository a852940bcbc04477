"""The item-level cache: of many items only the new ones are computed."""
