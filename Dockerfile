# node:24 is the current long-term-support line; slim has no compiler and no package sources.
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY src/sdk/package.json src/sdk/
COPY src/cli/package.json src/cli/
# No package that the build needs has an install script of its own.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
COPY src/sdk/package.json src/sdk/
COPY src/cli/package.json src/cli/
RUN npm ci --omit=dev --workspaces=false --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production UMBRA_DATA_DIR=/var/lib/umbra
WORKDIR /app
RUN install -d -o node -g node /var/lib/umbra
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json ./
# The user `node`, by number: Kubernetes checks runAsNonRoot only against numbers.
USER 1000
EXPOSE 8080 1883
# The image holds no etcd: set UMBRA_ETCD_ENDPOINTS. It listens on loopback until it is told otherwise, see docker-compose.yml.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.UMBRA_HTTP_PORT || 8080) + '/health/live').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--enable-source-maps", "dist/main.js"]
