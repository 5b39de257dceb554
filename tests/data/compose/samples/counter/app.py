import os

import flask
import redis

app = flask.Flask(__name__)
store = redis.Redis(host=os.environ.get("REDIS_HOST", "redis"))


@app.route("/")
def hits():
    return f"hits: {store.incr('hits')}\n"
