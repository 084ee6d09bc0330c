// The API's page: the description of the API, to try with the session of whoever is signed in.
"use strict";
(() => {
  const place = document.getElementById("api");
  SwaggerUIBundle({
    url: place.dataset.openapi,
    domNode: place,
    requestInterceptor: (request) => {
      request.headers["x-csrf-token"] = place.dataset.csrf;
      return request;
    },
  });
})();
