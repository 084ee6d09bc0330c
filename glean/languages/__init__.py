"""What people read in English, German or French: sentences, numbers and days."""
