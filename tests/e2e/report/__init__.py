"""Reports in a browser: Debian's `chromium`, driven by Playwright; without either these tests are skipped."""
