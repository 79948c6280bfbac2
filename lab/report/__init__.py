"""What people look at: sample sheets, figures and the comparison page."""
