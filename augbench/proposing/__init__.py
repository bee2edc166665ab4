"""What a user left open, chosen to fit the data: folders of photographs, sizes, what tests show."""
