"""`quartet report`: the page, the table and the chart of what `quartet verify` found."""
