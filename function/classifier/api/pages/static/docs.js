// Starts Swagger UI on /docs.

SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#swagger-ui",
  deepLinking: true, // the open operation is part of the URL
  defaultModelsExpandDepth: 0, // schemas are listed, closed
  displayRequestDuration: true,
  docExpansion: "list",
  validatorUrl: null, // the default sends the document's URL to another site
});
