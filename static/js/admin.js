// admin.js: copies a key, where a script may.
(function () {
	'use strict'

	for (const button of document.querySelectorAll('[data-copy]')) {
		if (!navigator.clipboard) continue
		button.hidden = false
		button.addEventListener('click', async () => {
			const word = button.textContent
			try {
				await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent)
				button.textContent = 'Copied'
			} catch {
				button.textContent = 'Select it and copy by hand'
			}
			setTimeout(() => { button.textContent = word }, 2000)
		})
	}
})()
