/* docs.js: Swagger UI on the description of this very server. */
(function () {
	'use strict'
	window.ui = window.SwaggerUIBundle({
		url: '/openapi.json',
		dom_id: '#docs',
		deepLinking: true,
		validatorUrl: null, // it would ask a foreign server
		defaultModelsExpandDepth: 0,
		displayRequestDuration: true,
		presets: [window.SwaggerUIBundle.presets.apis],
	})
})()
