"""The comparison page: a sweep as one HTML file that opens anywhere, without a network."""

from lab.report.page.write import write_page

__all__ = ["write_page"]
