/* redoc.js: Redoc on the description of this very server. */
(function () {
	'use strict'
	window.Redoc.init('/openapi.json', {
		disableSearch: false,
		hideDownloadButton: true, // the link at the top is the same
		theme: {
			colors: { primary: { main: '#1c5d86' }, text: { primary: '#1f1c18' } },
			sidebar: { backgroundColor: '#fbfaf7' },
			typography: {
				fontFamily: 'Inter, system-ui, sans-serif',
				headings: { fontFamily: 'Inter, system-ui, sans-serif' },
			},
		},
	}, document.getElementById('docs'))
})()
