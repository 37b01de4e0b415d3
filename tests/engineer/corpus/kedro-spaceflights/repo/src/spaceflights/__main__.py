from pathlib import Path

from kedro.framework.project import configure_project
from kedro.framework.session import KedroSession


def main():
    configure_project(Path(__file__).parent.name)
    with KedroSession.create() as session:
        session.run()


if __name__ == "__main__":
    main()
