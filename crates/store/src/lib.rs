//! What is on the disk and how it changes without ever being broken
