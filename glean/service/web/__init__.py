"""The pages: HTML with forms that work without JavaScript, and a little of it for what is live."""
