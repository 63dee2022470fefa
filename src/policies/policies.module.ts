import { Module, type DynamicModule } from '@nestjs/common';
import { DeletePolicyController } from './delete.http.js';
import { DeletePolicy } from './delete.js';
import { ExplainPoliciesController } from './explain.http.js';
import { ExplainPolicies } from './explain.js';
import { GetPolicyController } from './get.http.js';
import { ListPoliciesController } from './list.http.js';
import { POLICY_AUTHORIZER, type PolicyAuthorizer } from './policy-authorizer.js';
import { RollbackPolicyController } from './rollback.http.js';
import { UpdatePolicyController } from './update.http.js';
import { UpdatePolicy } from './update.js';

/** Policies: who may do what. Administration comes from the global DirectoryModule. */
@Module({})
export class PoliciesModule {
  static forRoot(authorizer: PolicyAuthorizer): DynamicModule {
    return {
      module: PoliciesModule,
      controllers: [
        ExplainPoliciesController,
        RollbackPolicyController,
        GetPolicyController,
        ListPoliciesController,
        UpdatePolicyController,
        DeletePolicyController,
      ],
      providers: [{ provide: POLICY_AUTHORIZER, useValue: authorizer }, UpdatePolicy, DeletePolicy, ExplainPolicies],
    };
  }
}
