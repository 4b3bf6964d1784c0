"""What the modules are made of: each choice by name, and what training needs around a network."""
