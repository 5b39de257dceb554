"""A web application with a database and the commands that come with it."""

import os
import sys

import flask
import psycopg2

app = flask.Flask(__name__)


def connection():
    return psycopg2.connect(os.environ["DATABASE_URL"])


@app.route("/")
def items():
    with connection() as database, database.cursor() as cursor:
        cursor.execute("SELECT name FROM items ORDER BY name")
        return "".join(f"{name}\n" for (name,) in cursor.fetchall())


def migrate():
    with connection() as database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS items (name text PRIMARY KEY)")
    print("migrated")


def add(name):
    with connection() as database, database.cursor() as cursor:
        cursor.execute("INSERT INTO items VALUES (%s)", (name,))


def startapp(name):
    os.mkdir(name)
    with open(f"{name}/models.py", "w") as file:
        file.write("# nothing yet\n")


def serve():
    app.run(host="0.0.0.0", port=8000)


{"migrate": migrate, "add": add, "startapp": startapp, "serve": serve}[sys.argv[1]](*sys.argv[2:])
