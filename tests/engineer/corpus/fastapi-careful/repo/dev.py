"""For the developer's machine only: starts again whenever a file changes."""

import uvicorn

if __name__ == "__main__":
    uvicorn.run("service.main:app", reload=True)
