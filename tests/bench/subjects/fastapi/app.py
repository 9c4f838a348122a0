"""The task routes on FastAPI, asyncpg and Pydantic: a pool for each worker, prepared statements
(asyncpg keeps them), and a model for each body in and out."""

import os
from datetime import datetime
from typing import List, Optional

import asyncpg
import jwt
from fastapi import Depends, FastAPI, HTTPException, Path, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, Field

SECRET = os.environ["BETTER_AUTH_SECRET"]
COLUMNS = "id, title, description, completed, user_id, created_at, updated_at"
TOUCHED = "updated_at = GREATEST(now(), updated_at + interval '1 microsecond')"

LIST = f"SELECT {COLUMNS} FROM task WHERE user_id = $1 ORDER BY created_at DESC, id DESC"
GET = f"SELECT {COLUMNS} FROM task WHERE user_id = $1 AND id = $2"
CREATE = f"INSERT INTO task (user_id, title, description) VALUES ($1, $2, $3) RETURNING {COLUMNS}"
TOGGLE = f"UPDATE task SET completed = NOT completed, {TOUCHED} WHERE user_id = $1 AND id = $2 RETURNING {COLUMNS}"


class Task(BaseModel):
    id: int
    title: str
    description: Optional[str]
    completed: bool
    user_id: str
    created_at: datetime
    updated_at: datetime


class TaskCreate(BaseModel):
    title: str = Field(min_length=1, max_length=200)
    description: Optional[str] = Field(None, max_length=5000)


app = FastAPI()
bearer = HTTPBearer(auto_error=False)


@app.on_event("startup")
async def open_pool() -> None:
    app.state.pool = await asyncpg.create_pool(
        os.environ["DATABASE_URL"], server_settings={"application_name": "fastapi"}
    )


@app.on_event("shutdown")
async def close_pool() -> None:
    await app.state.pool.close()


async def owner(
    user_id: str = Path(),
    credentials: Optional[HTTPAuthorizationCredentials] = Depends(bearer),
) -> str:
    try:
        claims = jwt.decode(
            credentials.credentials if credentials else "",
            SECRET,
            algorithms=["HS256"],
            options={"require": ["exp", "sub"]},
        )
    except jwt.InvalidTokenError:
        raise HTTPException(401, "Unauthorized", {"WWW-Authenticate": "Bearer"})
    if claims["sub"] != user_id:
        raise HTTPException(401, "Unauthorized", {"WWW-Authenticate": "Bearer"})
    return user_id


async def pool(request: Request) -> asyncpg.Pool:
    return request.app.state.pool


def found(row: Optional[asyncpg.Record]) -> dict:
    if row is None:
        raise HTTPException(404, "Not found")
    return dict(row)


@app.get("/api/{user_id}/tasks", response_model=List[Task])
async def list_tasks(user: str = Depends(owner), database: asyncpg.Pool = Depends(pool)):
    return [dict(row) for row in await database.fetch(LIST, user)]


@app.get("/api/{user_id}/tasks/{task_id}", response_model=Task)
async def get_task(task_id: int, user: str = Depends(owner), database: asyncpg.Pool = Depends(pool)):
    return found(await database.fetchrow(GET, user, task_id))


@app.post("/api/{user_id}/tasks", response_model=Task, status_code=201)
async def create_task(
    task: TaskCreate, response: Response, user: str = Depends(owner), database: asyncpg.Pool = Depends(pool)
):
    row = await database.fetchrow(CREATE, user, task.title, task.description)
    response.headers["Location"] = f"/api/{user}/tasks/{row['id']}"
    return dict(row)


@app.patch("/api/{user_id}/tasks/{task_id}/complete", response_model=Task)
async def toggle_task(task_id: int, user: str = Depends(owner), database: asyncpg.Pool = Depends(pool)):
    return found(await database.fetchrow(TOGGLE, user, task_id))
