/* tables.js: the rows of a table by the column whose header is pressed. Tables that are longer
 * than a page are sorted by the server instead. */
(function () {
	'use strict'

	const key = (row, i) => {
		const cell = row.cells[i]
		if (!cell) return null
		if (i === 0 && row.dataset.date) return row.dataset.date
		if (cell.dataset.value !== undefined) return Number(cell.dataset.value)
		return cell.classList.contains('n') ? null : cell.textContent.trim()
	}

	// What has no figure stays below, whichever way.
	function compare(a, b, down) {
		if (a === null || b === null) return (a === null) - (b === null)
		const order = typeof a === 'string' ? a.localeCompare(b) : a - b
		return down ? -order : order
	}

	function sort(table, i, down) {
		const body = table.tBodies[0]
		const rows = [...body.rows].map((row, at) => ({ row, at, key: key(row, i) }))
		rows.sort((a, b) => compare(a.key, b.key, down) || a.at - b.at)
		body.append(...rows.map((r) => r.row))
		;[...table.tHead.rows[0].cells].forEach((th, k) => {
			if (k === i) th.setAttribute('aria-sort', down ? 'descending' : 'ascending')
			else th.removeAttribute('aria-sort')
		})
	}

	// Figures that came anew stand in the server's order; charts read them so, before this.
	document.addEventListener('figureschange', () => queueMicrotask(() => {
		for (const th of document.querySelectorAll('table[data-sortable] th[aria-sort]'))
			sort(th.closest('table'), th.cellIndex, th.ariaSort === 'descending')
	}))

	for (const table of document.querySelectorAll('table[data-sortable]')) {
		if (table.tBodies[0].rows.length < 2) continue
		for (const [i, th] of [...table.tHead.rows[0].cells].entries()) {
			const button = document.createElement('button')
			button.type = 'button'
			button.append(...th.childNodes)
			th.append(button)
			// Figures begin with the most, names with A.
			button.addEventListener('click', () =>
				sort(table, i, th.ariaSort ? th.ariaSort === 'ascending' : th.classList.contains('n')))
		}
	}
})()
