"""Reading the files that people bring: folders, images, tables of captions."""
