"""Says what a report found, the same on a terminal, in Markdown, in HTML and on the dashboard. Pure.

    wordings, lacking   what each figure is called, and which way is better; why there is none
    amounts, visible    figures, and names that others chose, as people read them
    sheet, verdicts     a report put in order: rows of figures by topic, and what they come to
    plots               where intervals are drawn
    markdown, page      a report as Markdown, and as HTML that needs nothing else

`templates` and `static` have what that page and the dashboard's share. What is computed, and how,
is `reporting`; what a figure means is its, too, and handed in.
"""
