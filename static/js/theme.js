/* theme.js: runs before the first paint, so that a remembered theme does not flash. */
(function () {
	'use strict'
	var root = document.documentElement
	root.classList.add('js')
	try {
		var theme = localStorage.getItem('theme')
		if (theme === 'light' || theme === 'dark') root.dataset.theme = theme
	} catch (e) { /* no storage: the system's theme */ }
})()
